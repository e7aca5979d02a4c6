#!/bin/sh
# chart.sh BIN SCHEMAS CHART lints the chart with little and with everything set, and checks what it
# renders against the schemas of the Kubernetes API.
set -eu
bin=$1 schemas=$2 chart=$3
full=integration/testdata/chart-full.yaml

check() {
	"$bin/helm" template test "$chart" "$@" |
		"$bin/kubeconform" -strict -summary -schema-location "$schemas/{{.ResourceKind}}{{.KindSuffix}}.json"
}

"$bin/helm" lint --strict "$chart"
"$bin/helm" lint --strict "$chart" -f "$full"
check
check -f "$full"

# What must be refused: a key that the API does not know, or all of the above proves nothing ...
if "$bin/helm" template test "$chart" -f "$full" | sed 's/replicas: 1/replicaz: 1/' |
	"$bin/kubeconform" -strict -schema-location "$schemas/{{.ResourceKind}}{{.KindSuffix}}.json" >/dev/null; then
	echo "chart.sh: a misspelt key passed the schemas" >&2
	exit 1
fi
# ... and values that cannot work.
for bad in --set=nonsense=1 --set=ports.control=21 --set=ports.passive.first=40000 --set=tls.require={data} \
	--set=ports.implicitTLS=9990 --set=resources.limits.memory=5x --set=config.users=1; do
	if "$bin/helm" template test "$chart" "$bad" >/dev/null 2>&1; then
		echo "chart.sh: $bad was accepted" >&2
		exit 1
	fi
done
