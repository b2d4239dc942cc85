{{/*
Lays the values over a Deployment, in place. Takes the deployment and, as
"cloudstack-metacontroller.operator" does, values, settings and root.
*/}}
{{- define "cloudstack-metacontroller.over-deployment" -}}
{{- $spec := .deployment.spec }}
{{- $pod := $spec.template.spec }}
{{- $_ := set $spec "replicas" (int .values.replicas) }}
{{- if gt (int .values.replicas) 1 }}
{{- $spread := include "cloudstack-metacontroller.spread" $spec | fromYamlArray }}
{{- $_ := set $pod "topologySpreadConstraints" $spread }}
{{- end }}
{{- range $name, $value := .values.podAnnotations }}
{{- $_ := set $spec.template.metadata.annotations $name $value }}
{{- end }}
{{- with .values.nodeSelector }}
{{- $_ := set $pod "nodeSelector" . }}
{{- end }}
{{- with .values.tolerations }}
{{- $_ := set $pod "tolerations" (concat ($pod.tolerations | default list) .) }}
{{- end }}
{{- range .root.Values.imagePullSecrets }}
{{- $_ := set $pod "imagePullSecrets" (append ($pod.imagePullSecrets | default list) (dict "name" .)) }}
{{- end }}
{{- range $pod.containers }}
{{- $hooks := eq .name "hooks" }}
{{- include "cloudstack-metacontroller.over-container" (dict
  "container" .
  "image" ($hooks | ternary $.root.Values.image $.root.Values.metacontroller.image)
  "resources" ($hooks | ternary $.values.resources $.root.Values.metacontroller.resources)
  "settings" ($hooks | ternary (deepCopy $.settings) dict)
  "root" $.root
) }}
{{- end }}
{{- end }}

{{/* Lays an image, resources and settings over a container, in place; takes these, and root. */}}
{{- define "cloudstack-metacontroller.over-container" -}}
{{- $container := .container }}
{{- $tag := .image.tag | default .root.Chart.AppVersion }}
{{- $_ := set $container "image" (printf "%s:%s" .image.repository $tag) }}
{{- with .image.pullPolicy }}
{{- $_ := set $container "imagePullPolicy" . }}
{{- end }}
{{- $_ := set $container "resources" .resources }}
{{- $settings := .settings }}
{{- with .root.Values.apiServer }}
{{- if .host }}
{{- $_ := set $settings "KUBERNETES_SERVICE_HOST" .host }}
{{- $_ := set $settings "KUBERNETES_SERVICE_PORT" .port }}
{{- end }}
{{- end }}
{{- $env := list }}
{{- range $name, $value := $settings }}
{{- $env = append $env (dict "name" $name "value" (toString $value)) }}
{{- end }}
{{- range $container.env }}
{{- if not (hasKey $settings .name) }}
{{- $env = append $env . }}
{{- end }}
{{- end }}
{{- with $env }}
{{- $_ := set $container "env" . }}
{{- end }}
{{- end }}

{{/* Spreads the pods of a Deployment over nodes, and over zones if possible; takes its spec. */}}
{{- define "cloudstack-metacontroller.spread" -}}
- topologyKey: kubernetes.io/hostname
  maxSkew: 1
  whenUnsatisfiable: DoNotSchedule
  labelSelector:
    matchLabels: {{- toYaml .selector.matchLabels | nindent 6 }}
- topologyKey: topology.kubernetes.io/zone
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels: {{- toYaml .selector.matchLabels | nindent 6 }}
{{- end }}
