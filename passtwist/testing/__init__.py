"""The public test kit: what the tests of passtwist and of its plugins share.

Runs in: test processes.
"""
