{{/*
Lays the values over an object, in place. Takes the object and, as
"cloudstack-metacontroller.operator" does, values, settings and root.
*/}}
{{- define "cloudstack-metacontroller.over-object" -}}
{{- $object := .object }}
{{- $monitoring := .root.Values.monitoring }}
{{- $labels := merge (include "cloudstack-metacontroller.labels" .root | fromYaml) .root.Values.commonLabels }}
{{- if eq $object.kind "Deployment" }}
{{- include "cloudstack-metacontroller.over-deployment" (merge (dict "deployment" $object) .) }}
{{- else if eq $object.kind "ServiceAccount" }}
{{- include "cloudstack-metacontroller.annotate" (dict "object" $object "annotations" .values.serviceAccount.annotations) }}
{{- else if eq $object.kind "PrometheusRule" }}
{{- $labels = merge $labels $monitoring.labels }}
{{- else if has $object.kind (list "PodMonitor" "ServiceMonitor") }}
{{- $labels = merge $labels $monitoring.labels }}
{{- range $endpoint := $object.spec.podMetricsEndpoints | default $object.spec.endpoints }}
{{- $_ := set $endpoint "interval" $monitoring.interval }}
{{- with $monitoring.scrapeTimeout }}
{{- $_ := set $endpoint "scrapeTimeout" . }}
{{- end }}
{{- end }}
{{- else if hasKey ($object.metadata.labels | default dict) "grafana_dashboard" }}
{{- $labels = merge $labels $monitoring.dashboardLabels }}
{{- include "cloudstack-metacontroller.annotate" (dict "object" $object "annotations" $monitoring.dashboardAnnotations) }}
{{- end }}
{{- $_ := set $object.metadata "labels" (merge ($object.metadata.labels | default dict) $labels) }}
{{- end }}

{{/* Adds annotations to an object, in place; takes both. */}}
{{- define "cloudstack-metacontroller.annotate" -}}
{{- with .annotations }}
{{- $_ := set $.object.metadata "annotations" (merge ($.object.metadata.annotations | default dict) .) }}
{{- end }}
{{- end }}

{{/* The labels by which people find what a release has; takes the chart. */}}
{{- define "cloudstack-metacontroller.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}
