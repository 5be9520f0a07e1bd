"""Many callers in many processes on one expired grant: the refresh as a race, and its referee."""
