"""What a warm call of a Flow costs through the service, beside other ways to the same org."""
