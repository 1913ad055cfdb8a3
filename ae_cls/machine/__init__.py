"""The machine under the program: what it has, and what it lacks, named as such."""
