"""A study: arms x label budgets x draws x seeds on the one engine for jobs, and its verdict."""
