"""The words a user types, and what they compose to. Nothing else knows Hydra."""
