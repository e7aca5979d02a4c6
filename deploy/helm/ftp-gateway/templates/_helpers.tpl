{{- define "ftp-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "ftp-gateway.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "ftp-gateway.name" .) .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "ftp-gateway.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ftp-gateway.selector" -}}
app.kubernetes.io/name: {{ include "ftp-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ftp-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "ftp-gateway.selector" . }}
{{- end }}

{{- define "ftp-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "ftp-gateway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The configuration file. Everything that belongs to the pod is set here, so that it fits the ports and mounts. */}}
{{- define "ftp-gateway.config" -}}
{{- $doc := deepCopy .Values.config }}
{{- $tls := dict "mode" "none" }}
{{- if .Values.tls.secretName }}
{{- $tls = dict "mode" "explicit" }}
{{- with .Values.tls.require }}{{ $_ := set $tls "require" . }}{{ end }}
{{- $cert := dict "cert" "/etc/ftp-gateway/tls/tls.crt" "key" "/etc/ftp-gateway/tls/tls.key" }}
{{- $_ := set $doc "tls" (dict "certificates" (list $cert)) }}
{{- else if .Values.tls.require }}
{{- fail "tls.require needs tls.secretName" }}
{{- end }}
{{- $listeners := list (dict "address" (printf ":%d" (int .Values.ports.control)) "tls" $tls) }}
{{- if .Values.ports.implicitTLS }}
{{- if not .Values.tls.secretName }}{{ fail "ports.implicitTLS needs tls.secretName" }}{{ end }}
{{- $implicit := merge (dict "mode" "implicit") $tls }}
{{- $listeners = append $listeners (dict "address" (printf ":%d" (int .Values.ports.implicitTLS)) "tls" $implicit) }}
{{- end }}
{{- $_ := set $doc "listeners" $listeners }}
{{- $passive := dict "ports" (printf "%d-%d" (int .Values.ports.passive.first) (int .Values.ports.passive.last)) }}
{{- with .Values.passiveAddress }}{{ $_ := set $passive "address" . }}{{ end }}
{{- $_ := set $doc "passive" $passive }}
{{- $_ := set $doc "metrics" (dict "address" (printf ":%d" (int .Values.ports.metrics))) }}
{{- if .Values.admin }}{{ $_ := set $doc "admin" (dict "socket" "/run/ftp-gateway/admin.sock") }}{{ end }}
{{- $_ := set $doc "backends" .Values.backends }}
{{- with .Values.anonymous }}{{ $_ := set $doc "anonymous" . }}{{ end }}
{{- $users := list }}
{{- range $i, $u := .Values.users }}
{{- $users = append $users (set (omit $u "passwordHash") "password_file" (printf "/etc/ftp-gateway/users/%d" $i)) }}
{{- end }}
{{- with $users }}{{ $_ := set $doc "users" . }}{{ end }}
{{- if not (hasKey $doc "shutdown_grace") }}
{{- $_ := set $doc "shutdown_grace" (printf "%ds" (sub (int .Values.terminationGracePeriodSeconds) 5)) }}
{{- end }}
{{- toYaml $doc }}
{{- end }}

{{/* 90 % of a memory quantity, in bytes as Go reads them; empty where there is no limit. */}}
{{- define "ftp-gateway.gomemlimit" -}}
{{- $limit := dig "limits" "memory" "" .Values.resources | toString }}
{{- if $limit }}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 }}
{{- $number := regexFind "^[0-9.]+" $limit }}
{{- $unit := trimPrefix $number $limit }}
{{- if and $unit (not (hasKey $units $unit)) }}{{ fail (printf "resources.limits.memory: %s is no size in bytes, Ki, Mi, Gi, Ti, k, M, G or T" $limit) }}{{ end }}
{{- $factor := 1 }}{{ if $unit }}{{ $factor = get $units $unit }}{{ end }}
{{- printf "%.0f" (mulf (float64 $number) (float64 $factor) 0.9) }}
{{- end }}
{{- end }}
