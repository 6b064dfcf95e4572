"""What is known of addresses and hosts, each fact with its source and time: names, domains, places, networks."""
