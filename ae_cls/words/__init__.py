"""The words a user types, and what Hydra composes of them: nothing of it goes further."""
