"""What variants share: trunk and decoder, dense layers, losses, corruption."""
