"""The one training loop, with its steps, schedules, augmentation and checkpoints."""
