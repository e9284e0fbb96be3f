"""What the rooms need of the machine: files whole or not at all, the terminal, flags, errors."""
