"""Gets URLs out of anything an attacker sends, running it in the machine where reading is not enough."""
