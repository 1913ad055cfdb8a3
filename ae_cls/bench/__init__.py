"""How fast this machine trains: our loop beside the one that tutorials print."""
