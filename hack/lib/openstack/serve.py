"""Serves a service's WSGI application: serve.py MODULE ADDRESS PORT [ARGUMENT OF THE SERVICE]..."""
import importlib
import sys
import warnings

import waitress

# More than the parallel requests of any test: one that waits for cinder-volume holds its thread.
THREADS = 24

warnings.simplefilter("ignore")
module, address, port = sys.argv[1:4]
# The application reads the command line when it is imported.
sys.argv = [module, *sys.argv[4:]]
application = importlib.import_module(module).application
waitress.serve(application, host=address, port=int(port), threads=THREADS, ident=None)
