package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/ftp-gateway/ftp-gateway/integration/clients"
	"github.com/ftp-gateway/ftp-gateway/integration/servers"
)

// The parts of rendered manifests that the test plays kubelet with.
type manifest struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Data map[string]string
	Spec yaml.Node
}

type deployment struct {
	Replicas int
	Template struct {
		Metadata struct{ Labels map[string]string }
		Spec     podSpec
	}
}

type podSpec struct {
	TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
		RunAsUser    int  `yaml:"runAsUser"`
		RunAsGroup   int  `yaml:"runAsGroup"`
	} `yaml:"securityContext"`
	Containers []struct {
		Command, Args []string
		Env           []struct{ Name, Value string }
		EnvFrom       []struct {
			SecretRef struct{ Name string } `yaml:"secretRef"`
		} `yaml:"envFrom"`
		Ports []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		Startup      probe `yaml:"startupProbe"`
		Liveness     probe `yaml:"livenessProbe"`
		Readiness    probe `yaml:"readinessProbe"`
		VolumeMounts []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
			SubPath   string `yaml:"subPath"`
		} `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name      string
		ConfigMap struct{ Name string } `yaml:"configMap"`
		EmptyDir  map[string]string     `yaml:"emptyDir"`
		Secret    struct {
			SecretName string `yaml:"secretName"`
		}
	}
}

type probe struct {
	HTTPGet struct {
		Path string
		Port string
		Host string
	} `yaml:"httpGet"`
}

// service is the Service for clients.
type service struct {
	ExternalTrafficPolicy string `yaml:"externalTrafficPolicy"`
	Selector              map[string]string
	Ports                 []struct {
		Name       string
		Port       int
		TargetPort string `yaml:"targetPort"`
	}
}

// render runs helm and sorts what comes out by kind and name.
func render(t *testing.T, values map[string]any) map[string]manifest {
	t.Helper()
	helm, err := servers.Program("helm")
	if err != nil {
		t.Fatal(err)
	}
	root, err := servers.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(helm, "template", "test", filepath.Join(root, "deploy/helm/ftp-gateway"), "-f", "-")
	cmd.Stdin = bytes.NewReader(b)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm template: %v\n%s", err, errs.String())
	}
	all := map[string]manifest{}
	dec := yaml.NewDecoder(bytes.NewReader(out))
	for {
		var m manifest
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, out)
		}
		if m.Kind != "" {
			all[m.Kind+"/"+m.Metadata.Name] = m
		}
	}
}

// TestChartRuns takes command, configuration, secrets, environment and user out of
// the rendered chart and runs them in a root of its own that holds what the image holds. It asks the
// probes at the address of the "pod" and uploads through the ports of the Service.
//
// No container runtime and no cluster take part: that the API accepts the
// manifests is shown by their schemas, that the image has the paths by TestDockerfile.
func TestChartRuns(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("this test changes the root directory and the user, and needs to be root")
	}
	w := newWorld(t, s3Kind)
	control, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	passive, err := servers.FreePorts(10)
	if err != nil {
		t.Fatal(err)
	}
	metrics, err := servers.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	hash := hashOf(t, password)
	all := render(t, map[string]any{
		"ports":          map[string]any{"control": control, "passive": map[string]int{"first": passive, "last": passive + 9}, "metrics": metrics},
		"backends":       map[string]any{"store": map[string]any{"type": "s3", "bucket": bucket, "region": servers.S3Region, "endpoint": w.proxy.URL(), "path_style": true}},
		"users":          []any{map[string]any{"name": user, "passwordHash": hash, "home": "store:/"}},
		"secretEnv":      map[string]string{"AWS_ACCESS_KEY_ID": servers.S3Key, "AWS_SECRET_ACCESS_KEY": servers.S3Secret},
		"env":            map[string]string{"AWS_EC2_METADATA_DISABLED": "true"},
		"tls":            map[string]any{"secretName": "ftp-tls"},
		"resources":      map[string]any{"limits": map[string]string{"memory": "300Mi"}},
		"config":         map[string]any{"log": map[string]string{"level": "debug", "format": "json"}},
		"serviceMonitor": map[string]any{"enabled": true},
	})
	// The Secret with the certificate is the user's own.
	all["Secret/ftp-tls"] = manifest{Data: map[string]string{"tls.crt": readBase64(t, w.certs.Cert), "tls.key": readBase64(t, w.certs.Key)}}

	var d deployment
	dm := all["Deployment/test-ftp-gateway"]
	if err := dm.Spec.Decode(&d); err != nil {
		t.Fatal(err)
	}
	pod := d.Template.Spec
	if d.Replicas != 1 || !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.RunAsUser != 65532 || len(pod.Containers) != 1 {
		t.Fatalf("replicas %d, security %+v, %d containers", d.Replicas, pod.SecurityContext, len(pod.Containers))
	}
	c := pod.Containers[0]

	// The image: the binary, certificates, a folder for temporary files, nothing else.
	root := t.TempDir()
	openUp(t, root)
	for _, dir := range []string{"/usr/local/bin", "/etc/ssl/certs", "/tmp", "/dev"} {
		mkdirAll(t, root, dir)
	}
	copyInto(t, gatewayBin, filepath.Join(root, c.Command[0]), 0o755)
	copyInto(t, "/etc/ssl/certs/ca-certificates.crt", filepath.Join(root, "/etc/ssl/certs/ca-certificates.crt"), 0o644)

	// The volumes.
	files := map[string]map[string]string{}
	for _, v := range pod.Volumes {
		switch {
		case v.ConfigMap.Name != "":
			files[v.Name] = all["ConfigMap/"+v.ConfigMap.Name].Data
		case v.EmptyDir != nil:
			continue
		case v.Secret.SecretName != "":
			files[v.Name] = decodeAll(t, all["Secret/"+v.Secret.SecretName].Data)
		}
		if len(files[v.Name]) == 0 {
			t.Fatalf("volume %s is empty: %+v", v.Name, v)
		}
	}
	for _, m := range c.VolumeMounts {
		if m.SubPath != "" {
			mkdirAll(t, root, filepath.Dir(m.MountPath))
			writeInto(t, filepath.Join(root, m.MountPath), files[m.Name][m.SubPath])
			continue
		}
		mkdirAll(t, root, m.MountPath)
		if files[m.Name] == nil { // the kubelet gives it to fsGroup
			if err := os.Chmod(filepath.Join(root, m.MountPath), 0o777); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range files[m.Name] {
			writeInto(t, filepath.Join(root, m.MountPath, name), text)
		}
	}

	var env []string
	for _, e := range c.Env {
		env = append(env, e.Name+"="+e.Value)
	}
	for _, f := range c.EnvFrom {
		for name, value := range decodeAll(t, all["Secret/"+f.SecretRef.Name].Data) {
			env = append(env, name+"="+value)
		}
	}
	if !slices.Contains(env, fmt.Sprintf("GOMEMLIMIT=%d", 300<<20*9/10)) {
		t.Errorf("environment %q has no GOMEMLIMIT of 90 %% of 300 MiB", env)
	}

	logDir := t.TempDir()
	cmd := exec.Command(c.Command[0], append(slices.Clone(c.Command[1:]), c.Args...)...)
	cmd.Path, cmd.Dir, cmd.Env = c.Command[0], "/", env
	cmd.Err = nil // the path is one below the new root
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{
		Uid: uint32(pod.SecurityContext.RunAsUser), Gid: uint32(pod.SecurityContext.RunAsGroup), NoSetGroups: false}}
	p, err := servers.Start("the pod", filepath.Join(logDir, "pod.log"), cmd)
	if err != nil {
		t.Fatal(err)
	}
	watch(t, p)

	// The kubelet asks at the pod's address, not at loopback; a port by name.
	ports := map[string]int{}
	for _, port := range c.Ports {
		ports[port.Name] = port.ContainerPort
	}
	for _, pr := range []probe{c.Startup, c.Liveness, c.Readiness} {
		if pr.HTTPGet.Host != "" || ports[pr.HTTPGet.Port] == 0 {
			t.Fatalf("probe %+v does not ask a port of the pod", pr)
		}
		url := fmt.Sprintf("http://%s:%d%s", podAddress, ports[pr.HTTPGet.Port], pr.HTTPGet.Path)
		eventually(t, url, func(ctx context.Context) (bool, error) {
			if !p.Running() {
				t.Fatal("the process has ended")
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return false, err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return false, err
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK, errors.New(resp.Status)
		})
	}

	// The Service leads to the control port and to each passive port.
	var s service
	sm := all["Service/test-ftp-gateway"]
	if err := sm.Spec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.ExternalTrafficPolicy != "Local" {
		t.Errorf("externalTrafficPolicy %q, want Local", s.ExternalTrafficPolicy)
	}
	for k, v := range s.Selector {
		if d.Template.Metadata.Labels[k] != v {
			t.Errorf("the Service selects %s=%s, which the pod %v has not", k, v, d.Template.Metadata.Labels)
		}
	}
	behind := map[string]int{} // target port by name of the Service's port
	for _, port := range s.Ports {
		if behind[port.Name] = ports[port.TargetPort]; behind[port.Name] == 0 {
			behind[port.Name] = port.Port
		}
	}
	if behind["control"] != control || len(s.Ports) != 11 {
		t.Errorf("ports of the Service: %v", slices.Sorted(maps.Keys(behind)))
	}

	body := random(8, 6<<20)
	for _, tls := range []bool{false, true} {
		target := clients.Target{Host: "localhost", Port: behind["control"], User: user, Password: password, TLS: tls, CA: w.certs.CA, Dir: logDir}
		conn, err := clients.Login(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		r, err := conn.Expect(229, "EPSV")
		if err != nil {
			t.Fatal(err)
		}
		var port int
		if _, err := fmt.Sscanf(r.Text[strings.Index(r.Text, "(|||"):], "(|||%d|)", &port); err != nil || behind[fmt.Sprintf("passive-%d", port)] != port {
			t.Errorf("EPSV told port %d (%v), which the Service does not have", port, err)
		}
		if r, err := conn.Store(t.Context(), fmt.Sprintf("chart-%v.bin", tls), body); err != nil || r.Code != 226 {
			t.Fatalf("%q, %v; want 226", r.Text, err)
		}
		w.wantObject(t, fmt.Sprintf("chart-%v.bin", tls), body)
		if err := conn.Quit(); err != nil {
			t.Error(err)
		}
	}

	// What "kubectl exec" does. The container runtime gives it the environment of the pod.
	top := exec.Command(c.Command[0], "top", "--json")
	top.Path, top.Dir, top.Env, top.Err = c.Command[0], "/", env, nil
	top.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: cmd.SysProcAttr.Credential}
	if out, err := top.CombinedOutput(); err != nil || !strings.Contains(string(out), `"name": "store"`) {
		t.Errorf("top in the pod: %v: %s", err, out)
	}

	// The process needs no right to write anywhere but beside its socket.
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Errorf("it ended with %d, %v; want 0", code, err)
	}
}
