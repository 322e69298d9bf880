"""Each of the three systems away, slow or answering rubbish: what is lost, what is told, and what is not."""
