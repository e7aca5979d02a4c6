# Two commands matter: "make demo" and "make test". The rest is for developers.

# Version control information is not put into binaries: a build works in an archive
# or in another user's clone as well. -trimpath makes it reproducible.
export GOFLAGS ?= -buildvcs=false
export GOWORK  := off
GOBUILD := go build -trimpath
BIN     := .cache/bin
SCHEMAS := .cache/schemas
# Packages whose tests are compiled for Windows, where nothing here can run them.
WINDOWS := ./auth ./auth/windows ./auth/ldap ./config ./cmd/ftp-gateway ./vfs/local
VERSION ?= dev
IMAGE   ?= ftp-gateway:$(VERSION)
BACKEND ?= s3
CHART   := deploy/helm/ftp-gateway

# Programs of the tests, built from the module proxy with the versions that go.sum pins.
SERVERS := $(BIN)/versitygw $(BIN)/fake-gcs-server $(BIN)/minio
TOOLS   := $(BIN)/helm $(BIN)/kubeconform $(BIN)/staticcheck

.PHONY: help build demo test unit storms soak radosgw conformance assertions integration chart check bench image tools packages ceph clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

build: ## bin/ftp-gateway, a static binary
	CGO_ENABLED=0 $(GOBUILD) -ldflags="-s -w" -o bin/ftp-gateway ./cmd/ftp-gateway

demo: $(BIN)/demo ## a gateway before a store on this machine (BACKEND=s3, gcs or local)
demo: $(if $(filter s3,$(BACKEND)),$(BIN)/versitygw) $(if $(filter gcs,$(BACKEND)),$(BIN)/fake-gcs-server)
	@exec $(BIN)/demo -backend $(BACKEND)

# The tools of the integration tests are built, and Ceph is installed, while the unit tests, which wait a lot, run.
test: packages ## everything, and what it needs
	$(MAKE) check
	$(MAKE) -j3 unit tools ceph
	$(MAKE) chart integration

unit: ## the product's own tests with the race detector
	go test -race -timeout 15m ./...
	go test -run '^TestIdleStack$$' ./protocol

# What runs before Ceph, 200 MB of Debian's packages.
CEPH := RadosGW|TestSoak$$
# Hundreds of uploads at once, by the minute.
STORMS := Test20SlowDownStorm|Test11MemoryOfUploads

# -count=1: Go does not see that the binary, which they start, is another one. -p 1: the packages measure memory and start servers; two at once would disturb each other. The tests that say so themselves wait more
# than they work: four of them at a time.
integration: ceph $(SERVERS) $(TOOLS) $(SCHEMAS)/.done ## the binary against real clients and stores, the conformance of all trees, and a short soak
	cd integration && go vet ./... && go test -count=1 -p 1 -parallel 4 -skip '$(STORMS)' -timeout 40m ./...

storms: packages $(SERVERS) ## memory and fairness under hundreds of uploads; see doc/reliability.md
	cd integration && go test -count=1 -v -run '$(STORMS)' -timeout 20m .

soak: ceph $(SERVERS) ## 20,000 uploads under random faults, with a kill -9 every 30 s; see doc/reliability.md
	cd integration && SOAK_UPLOADS=$${SOAK_UPLOADS:-20000} SOAK_KILL=$${SOAK_KILL:-30} go test -count=1 -v -run 'TestSoak$$' -timeout 12h .

radosgw: ceph $(SERVERS) ## what is tested before Ceph only
	cd integration && go test -count=1 -run '$(CEPH)' -timeout 20m .

conformance: $(SERVERS) ## only the conformance suite on real store servers
	cd integration && go test -count=1 -run 'TestConformance' -skip '$(CEPH)' -timeout 20m .

assertions: $(SERVERS) ## only the assertions that the RFCs make, with their number
	cd integration && go test -count=1 -v -run 'TestAssertions$$' . | grep -E '^(--- |ok|FAIL)|: [0-9]+ of [0-9]+ assertions|assertions_test.go'

chart: $(BIN)/helm $(BIN)/kubeconform $(SCHEMAS)/.done ## lint the chart and check what it renders against the API
	sh integration/scripts/chart.sh $(BIN) $(SCHEMAS) $(CHART)

check: $(BIN)/staticcheck ## gofmt, vet (also for Windows), staticcheck, and who may import whom
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "gofmt: $$bad"; exit 1; fi
	go vet ./...
	$(BIN)/staticcheck ./...
	GOOS=windows go vet ./...
	@for p in $(WINDOWS); do GOOS=windows go test -c -o /dev/null $$p || exit 1; done
	go test .
	cd integration && go vet ./... && ../$(BIN)/staticcheck ./...

bench: build packages $(SERVERS) ## measure against vsftpd and the bare SDK; see doc/performance.md
	cd integration && $(GOBUILD) -o ../$(BIN)/bench ./bench
	$(BIN)/bench -gateway bin/ftp-gateway $(BENCHFLAGS)

image: ## a container image, with docker or buildah
	sh integration/scripts/image.sh $(IMAGE)

tools: $(SERVERS) $(TOOLS) $(SCHEMAS)/.done ## build the programs of the tests

packages: ## install what the tests need from Debian (as root), or say what is missing
	sh integration/scripts/packages.sh

ceph: packages
	sh integration/scripts/packages.sh ceph

clean: ## remove everything that was built
	rm -rf bin dist .cache

$(BIN)/versitygw: integration/go.sum
	@mkdir -p $(BIN)
	cd integration && $(GOBUILD) -o ../$@ github.com/versity/versitygw/cmd/versitygw
	@touch $@

$(BIN)/fake-gcs-server: integration/go.sum
	@mkdir -p $(BIN)
	cd integration && $(GOBUILD) -o ../$@ github.com/fsouza/fake-gcs-server
	@touch $@

# AGPL-3.0: a program that the tests start, and no part of anything here. Four minutes on two busy cores, once.
$(BIN)/minio: integration/minio/go.sum
	@mkdir -p $(BIN)
	cd integration/minio && CGO_ENABLED=0 $(GOBUILD) -ldflags="-s -w" -o ../../$@ github.com/minio/minio
	@touch $@

$(BIN)/helm: PROGRAM = helm.sh/helm/v4/cmd/helm
$(BIN)/kubeconform: PROGRAM = github.com/yannh/kubeconform/cmd/kubeconform
$(BIN)/staticcheck: PROGRAM = honnef.co/go/tools/cmd/staticcheck
$(TOOLS): integration/tools/go.sum
	@mkdir -p $(BIN)
	cd integration/tools && $(GOBUILD) -o ../../$@ $(PROGRAM)
	@touch $@

# Always asked: Go knows what has changed.
.PHONY: $(BIN)/demo
$(BIN)/demo:
	@mkdir -p $(BIN)
	cd integration && $(GOBUILD) -o ../$@ ./cmd/demo

$(SCHEMAS)/.done: integration/scripts/schemas.sh integration/cmd/k8s-schemas/main.go
	sh integration/scripts/schemas.sh $(SCHEMAS)
	@touch $@
