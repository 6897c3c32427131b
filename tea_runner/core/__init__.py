"""The rules: bytes and values in, values out; nothing here touches the world."""
