"""The whole service under load while its replicas and systems are killed, paused, cut and slowed at random."""
