{{/*
The spec of a pod that runs the program.
  root     the chart's top
  args     the arguments after the options
  restart  the restart policy
  cache    the volume for the cache; none where a StatefulSet brings it
  serves   whether it has the server, and so probes
*/}}
{{- define "backout.podSpec" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ include "backout.serviceAccount" .root }}
automountServiceAccountToken: {{ if and .serves $values.leases.enabled }}true{{ else }}false{{ end }}
enableServiceLinks: false
restartPolicy: {{ .restart }}
# A change that has begun is brought to its end.
terminationGracePeriodSeconds: 90
securityContext:
  {{- toYaml $values.podSecurityContext | nindent 2 }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
containers:
  - name: backout
    image: {{ include "backout.image" .root | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
      - --config
      - /etc/backout/config/backout.yaml
      - --log-format
      - {{ $values.log.format }}
      {{- with $values.log.filter }}
      - --log
      - {{ . | quote }}
      {{- end }}
      {{- toYaml .args | nindent 6 }}
    {{- with $values.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    env:
      # The cache is on the volume, whatever the image says.
      - name: XDG_CACHE_HOME
        value: /var/cache
      {{- if and .serves $values.leases.enabled }}
      - name: POD_NAME
        valueFrom:
          fieldRef:
            fieldPath: metadata.name
      {{- end }}
      {{- with $values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if .serves }}
    ports:
      - name: http
        containerPort: {{ $values.port }}
        protocol: TCP
    livenessProbe:
      httpGet: {path: /healthz, port: http}
      periodSeconds: 20
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
    {{- end }}
    securityContext:
      {{- toYaml $values.securityContext | nindent 6 }}
    {{- with $values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    volumeMounts:
      - {name: config, mountPath: /etc/backout/config, readOnly: true}
      - {name: cache, mountPath: /var/cache}
      - {name: tmp, mountPath: /tmp}
      {{- range $values.secretFiles }}
      - {name: {{ printf "secret-%s" . | trunc 63 | trimSuffix "-" | quote }}, mountPath: {{ printf "/etc/backout/secrets/%s" . | quote }}, readOnly: true}
      {{- end }}
      {{- with $values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "backout.configMap" .root }}
  - name: tmp
    emptyDir:
      sizeLimit: 64Mi
  {{- with .cache }}
  - name: cache
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $values.secretFiles }}
  - name: {{ printf "secret-%s" . | trunc 63 | trimSuffix "-" | quote }}
    secret:
      secretName: {{ . | quote }}
      # For the group of the pod alone.
      defaultMode: 0440
  {{- end }}
  {{- with $values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The metadata of the agent's pods. */}}
{{- define "backout.podMetadata" -}}
labels:
  {{- include "backout.agentSelector" . | nindent 2 }}
  {{- with .Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  {{- if not .Values.existingConfigMap }}
  # A changed configuration starts the pods anew.
  checksum/config: {{ include "backout.config" . | sha256sum }}
  {{- end }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The volume of a pod whose cache may be lost with it. */}}
{{- define "backout.emptyCache" -}}
emptyDir:
  sizeLimit: {{ .Values.cache.size }}
{{- end -}}

{{/* The spec of a claim for the cache. */}}
{{- define "backout.claim" -}}
accessModes: [{{ .Values.cache.accessMode }}]
{{- with .Values.cache.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.cache.size }}
{{- end -}}
