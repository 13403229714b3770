"""`ignn-jax app`: a local web page to upscale pictures and look into the graph.

Gradio, an extra, makes the page. Only the tabs, `page.py` and `server.py` import it.
"""
