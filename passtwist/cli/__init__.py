"""The `passtwist` command.

Runs in: the command.  Twisted and rich are imported only by what needs them:
a command that answers at once is used more often.
"""
