"""Build contexts: walking and packing them on the client, indexing and selecting from them on the servers.

A pure library: no network, no Redis, no store. Everything in it is synchronous and streams in pieces of bounded
size, except `pack.tar_of_source`, which reads through an asynchronous `ContextSource`.
"""
