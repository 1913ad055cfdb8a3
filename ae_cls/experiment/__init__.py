"""What a command is to do: frozen, validated descriptions, and the YAML folder they come from."""
