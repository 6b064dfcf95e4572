"""The attributes of a connection and of a channel that are kept in slots.

asyncssh gives a connection some 180 attributes, and a dictionary of so many takes 6.5 KB; slots take 1.4. Names that
are missing here (those of a newer asyncssh) go into the dictionary as before. None may have a default in a class: a
slot hides it.
"""

OF_CLIENTS = (
    "_trusted_host_keys", "_trusted_host_key_algs", "_trusted_ca_keys", "_revoked_host_keys", "_x509_trusted_certs",
    "_x509_trusted_subjects", "_x509_revoked_certs", "_x509_revoked_subjects",
)  # fmt: skip
"""What a client knows of servers: a set or a list each, of which a server has no use."""

CONNECTION = (
    "_acceptor", "_agent", "_agent_forwarding", "_agent_listener", "_all_server_host_keys", "_allow_pty",
    "_allow_scp", "_auth", "_auth_complete", "_auth_final", "_auth_in_progress", "_auth_methods",
    "_auth_was_trivial", "_authorized_client_keys", "_banner_lines", "_banner_sent", "_can_recv_ext_info",
    "_can_send_ext_info", "_cert_options", "_channels", "_client_kexinit", "_client_version",
    "_close_event", "_cmp_alg_cs", "_cmp_alg_sc", "_cmp_algs", "_compress_after_auth", "_compressor",
    "_decompress_after_auth", "_decompressor", "_deferred_packets", "_detail", "_disable_trivial_auth",
    "_enc_alg_cs", "_enc_alg_sc", "_enc_algs", "_encoding", "_ended_early", "_error_handler", "_errors",
    "_extensions_to_send", "_extra", "_forwards", "_global_request_queue", "_global_request_waiters",
    "_groups", "_gss", "_gss_auth", "_gss_kex", "_gss_kex_auth", "_gss_mic_auth", "_host_based_auth",
    "_ignore_first_kex", "_inpbuf", "_kbdint_auth", "_kbdint_password_auth", "_keepalive_count",
    "_keepalive_count_max", "_keepalive_interval", "_keepalive_timer", "_kex", "_kex_algs", "_kex_complete",
    "_kexinit_sent", "_key_options", "_known_client_hosts", "_last_words", "_line_echo", "_line_editor",
    "_line_history", "_listeners", "_local_addr", "_local_listeners", "_local_port", "_logger", "_login",
    "_login_timer", "_loop", "_mac_alg_cs", "_mac_alg_sc", "_mac_algs", "_machine", "_max_line_length",
    "_max_pktsize", "_max_recv_pktlen", "_next_decompress_after_auth", "_next_decompressor",
    "_next_recv_blocksize", "_next_recv_chan", "_next_recv_encryption", "_next_recv_macsize",
    "_next_service", "_no_more_sessions", "_numbers", "_offered", "_open_sessions", "_options", "_owner",
    "_packet", "_password", "_password_auth", "_peer_addr", "_peer_host", "_peer_port", "_pktlen",
    "_preferred_auth", "_process_factory", "_programs", "_protocol_factory", "_public_key_auth",
    "_rdns_lookup", "_read_paused", "_reason", "_recv_blocksize", "_recv_encryption", "_recv_handler",
    "_recv_macsize", "_recv_seq", "_rekey_bytes", "_rekey_bytes_sent", "_rekey_seconds", "_rekey_time",
    "_revoked_host_keys", "_send_blocksize", "_send_enchdrlen", "_send_encryption", "_send_seq", "_server",
    "_server_host_key", "_server_host_key_algs", "_server_host_keys", "_server_kexinit", "_server_sig_algs",
    "_server_version", "_session_factory", "_session_id", "_sftp_factory", "_sftp_version", "_sig_algs",
    "_strict_kex", "_tasks", "_tcp_keepalive", "_ticket", "_told_extensions", "_transport",
    "_trust_client_host", "_trusted_ca_keys", "_trusted_host_key_algs", "_trusted_host_keys", "_tunnel",
    "_username", "_utf8_decode_errors", "_version", "_wait", "_waiter", "_watch", "_window",
    "_write_paused", "_x11_auth_path", "_x11_forwarding", "_x11_listener", "_x509_purposes",
    "_x509_revoked_certs", "_x509_revoked_subjects", "_x509_trusted_cert_paths", "_x509_trusted_certs",
    "_x509_trusted_subjects", "budget", "files", "has_agent", "profile", "sensor", "session",
)  # fmt: skip

CHANNEL = (
    "_allow_pty", "_close_event", "_command", "_conn", "_decoder", "_encoder", "_encoding", "_env",
    "_errors", "_exit_status", "_extra", "_init_recv_window", "_killed_by", "_line_echo", "_line_editor",
    "_line_history", "_lines", "_logger", "_loop", "_max_line_length", "_open_waiter", "_recv_buf",
    "_recv_chan", "_recv_paused", "_recv_pktsize", "_recv_state", "_recv_window", "_request_queue",
    "_request_waiters", "_send_buf", "_send_buf_len", "_send_chan", "_send_high_water", "_send_low_water",
    "_send_paused", "_send_pktsize", "_send_state", "_send_window", "_session", "_session_started",
    "_str_env", "_subsystem", "_term_modes", "_term_size", "_term_type", "_told", "_x11_display", "number",
)  # fmt: skip
