"""What the service is compared with: limit.py is the least it can cost, naive.py and plain.py what is usually written.

Each is a process of its own that reads the service's own settings from the environment, and PORT.
"""
