"""What a person looks at: figures and the tables of the terminal."""
