#!/bin/sh
# As in the images of Node: what is no program is for node.
case $1 in
-*) set -- node "$@" ;;
*) command -v "$1" >/dev/null || set -- node "$@" ;;
esac
exec "$@"
