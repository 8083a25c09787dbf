{{- define "backout.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters: a CronJob's name may have no more. */}}
{{- define "backout.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "backout.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "backout.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What the network policy selects: the agent, and the pod of `helm test`. */}}
{{- define "backout.selector" -}}
app.kubernetes.io/name: {{ include "backout.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* What the workload and the service select: the agent alone. */}}
{{- define "backout.agentSelector" -}}
{{ include "backout.selector" . }}
app.kubernetes.io/component: agent
{{- end -}}

{{- define "backout.labels" -}}
{{ include "backout.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "backout.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "backout.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "backout.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{/* `yes` where there is a server. */}}
{{- define "backout.serves" -}}
{{- if ne .Values.kind "CronJob" -}}yes{{- end -}}
{{- end -}}

{{/* What the leases are called. */}}
{{- define "backout.leaseName" -}}
{{- default (include "backout.fullname" .) .Values.leases.name -}}
{{- end -}}

{{/* How many there are: one for each pod of a StatefulSet, which is at home there; else one, and the others stand by. */}}
{{- define "backout.shards" -}}
{{- if .Values.leases.shards -}}
{{- .Values.leases.shards -}}
{{- else if eq .Values.kind "StatefulSet" -}}
{{- max 1 (int .Values.replicas) -}}
{{- else -}}
1
{{- end -}}
{{- end -}}

{{- define "backout.configMap" -}}
{{- default (include "backout.fullname" .) .Values.existingConfigMap -}}
{{- end -}}

{{/* The text of the configuration. */}}
{{- define "backout.config" -}}
{{- $config := .Values.config -}}
{{- if not $config -}}
{{- fail "there is no configuration: set `config` (such as --set-file config=backout.yaml) or `existingConfigMap`" -}}
{{- end -}}
{{- $isText := kindIs "string" $config -}}
{{- $keys := $config -}}
{{- if $isText -}}
{{- $keys = fromYaml $config -}}
{{- if hasKey $keys "Error" -}}
{{- fail (printf "`config` is no YAML: %s" (get $keys "Error")) -}}
{{- end -}}
{{- else -}}
{{- $keys = deepCopy $config -}}
{{- end -}}
{{- $run := default (dict) (get $keys "run") -}}
{{- $listen := default "" (get $run "listen") -}}
{{- if include "backout.serves" . -}}
{{- if and (not $listen) $isText -}}
{{- fail (printf "the probes ask the daemon's server, and `config` has none: add `run: {listen: \"0.0.0.0:%v\"}` to it" .Values.port) -}}
{{- end -}}
{{- if not $listen -}}
{{- $listen = printf "0.0.0.0:%v" .Values.port -}}
{{- $keys = set $keys "run" (merge (dict "listen" $listen) $run) -}}
{{- end -}}
{{- $lease := default (dict) (get $run "lease") -}}
{{- if and .Values.leases.enabled $isText (not $lease) -}}
{{- fail (printf "`leases` is enabled, and `config` has none: add `lease: {name: %s, shards: %s}` below its `run`" (include "backout.leaseName" .) (include "backout.shards" .)) -}}
{{- else if and $lease (not .Values.leases.enabled) -}}
{{- fail "`config` has `run.lease`, and the pods have no right to leases: set `leases.enabled`" -}}
{{- else if and .Values.leases.enabled (not $lease) -}}
{{- $lease = dict "name" (include "backout.leaseName" .) "shards" (int (include "backout.shards" .)) -}}
{{- $keys = set $keys "run" (merge (dict "lease" $lease) (get $keys "run")) -}}
{{- end -}}
{{- if and $lease (or (ne (get $lease "name") (include "backout.leaseName" .)) (ne (int (default 1 (get $lease "shards"))) (int (include "backout.shards" .)))) -}}
{{- fail (printf "`run.lease` in `config` is not what the pods have the right to, the leases %s-0 to -%d: set `leases.name` and `leases.shards`" (include "backout.leaseName" .) (sub (int (include "backout.shards" .)) 1)) -}}
{{- end -}}
{{- if not (hasSuffix (printf ":%v" .Values.port) $listen) -}}
{{- fail (printf "`run.listen` in `config` is %s, and `port` is %v: they must be the same port" $listen .Values.port) -}}
{{- end -}}
{{- end -}}
{{- if $isText -}}
{{- $config -}}
{{- else -}}
{{- toYaml $keys -}}
{{- end -}}
{{- end -}}

{{/* Says no to what cannot work, rather than to leave it out in silence. */}}
{{- define "backout.mistakes" -}}
{{- if and .Values.config .Values.existingConfigMap -}}
{{- fail "`config` and `existingConfigMap` are both set: choose one" -}}
{{- end -}}
{{- if not (include "backout.serves" .) -}}
{{- range $name := list "ingress" "serviceMonitor" "prometheusRule" "dashboard" "podDisruptionBudget" -}}
{{- if (index $.Values $name).enabled -}}
{{- fail (printf "`%s` needs the daemon's server, which a CronJob does not have: take `kind: Deployment` or `kind: StatefulSet`" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.leases.enabled (not (include "backout.serves" .)) -}}
{{- fail "`leases` are for daemons: a pass of a CronJob takes none" -}}
{{- end -}}
{{- if and .Values.podDisruptionBudget.enabled (lt (int .Values.replicas) 2) -}}
{{- fail "`podDisruptionBudget` needs `replicas: 2` or more: of one pod it would keep a node from being drained" -}}
{{- end -}}
{{- end -}}
