"""A notice board: the Django example of passtwist."""
