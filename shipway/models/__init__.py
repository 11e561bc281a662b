"""The language all sides speak: frozen Pydantic models and plain values, no I/O."""
