#!/bin/sh
# image.sh NAME builds the container image with what is at hand.
set -eu
if command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
	exec docker build -t "$1" .
elif command -v buildah >/dev/null 2>&1; then
	exec buildah build -t "$1" .
fi
echo "make image needs docker or buildah; neither is here" >&2
exit 1
