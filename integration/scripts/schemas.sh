#!/bin/sh
# schemas.sh DIR writes the schemas for kubeconform. Their sources come out of Go modules, whose
# checksums are compared with the ones below.
set -eu
out=$1
case $out in /*) ;; *) out=$PWD/$out ;; esac

# module VERSION SUM prints the folder of a module that has the right checksum.
module() {
	json=$(go mod download -json "$1@$2")
	case $json in
	*"\"Sum\": \"$3\""*) ;;
	*) echo "schemas.sh: $1@$2 has not the checksum $3" >&2; exit 1 ;;
	esac
	echo "$json" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p'
}

k8s=$(module k8s.io/kubernetes v1.37.2 h1:A2VDEiObzkYqFTKhSsn0ZEb0RlLEXpHWj93gi2HqEwE=)
prom=$(module github.com/prometheus-operator/prometheus-operator v0.85.0 h1:M5xLCLEoaW2IJfnuCwFzzpL+jSVQu3KGT84Pye+fW8s=)
rm -rf "$out"
cd "$(dirname "$0")/.."
exec go run ./cmd/k8s-schemas -o "$out" "$k8s/api/openapi-spec/swagger.json" \
	"$prom/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml"
