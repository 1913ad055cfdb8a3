"""Jobs: what each command does, planned, carried out N at a time, recorded, continued."""
