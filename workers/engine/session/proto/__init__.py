"""Messages of the session and trace protocols, compiled from the `.proto` files beside this one.

Only the fields that Shipway reads or writes are declared; package, service and field numbers are BuildKit's,
for they are what travels. Regenerate after a change with `python -m workers.engine.session.proto`.
"""
