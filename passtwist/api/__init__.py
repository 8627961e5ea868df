"""What a plugin imports on the controller's side.

Runs in: the controller and the command.  Nothing here starts anything.
"""
