"""The only way out of a box: a wire that ends in sockets of ours, behind which nothing is forwarded."""
