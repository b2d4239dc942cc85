{{/*
Lays the values over a Deployment, in place. Takes the deployment and, as
"cloudstack-metacontroller.operator" does, values, settings and root.
*/}}
{{- define "cloudstack-metacontroller.over-deployment" -}}
{{- $spec := .deployment.spec }}
{{- $pod := $spec.template.spec }}
{{- $_ := set $spec "replicas" (int .values.replicas) }}
{{- $spread := .values.topologySpreadConstraints }}
{{- if and (not $spread) (gt (int .values.replicas) 1) }}
{{- $spread = include "cloudstack-metacontroller.spread" . | fromYamlArray }}
{{- end }}
{{- range $spread }}
{{- $constraint := merge (dict "labelSelector" (dict "matchLabels" $spec.selector.matchLabels)) . }}
{{- $_ := set $pod "topologySpreadConstraints" (append ($pod.topologySpreadConstraints | default list) $constraint) }}
{{- end }}
{{- range $name, $value := .values.podAnnotations }}
{{- $_ := set $spec.template.metadata.annotations $name $value }}
{{- end }}
{{- range $name, $value := .values.podLabels }}
{{- $_ := set $spec.template.metadata.labels $name $value }}
{{- end }}
{{- with .values.affinity }}
{{- $_ := set $pod "affinity" . }}
{{- end }}
{{- with .values.priorityClassName }}
{{- $_ := set $pod "priorityClassName" . }}
{{- end }}
{{- with .values.cloudConfigSecret }}
{{- range $pod.volumes }}
{{- if eq .name "cloud-config" }}
{{- $_ := set .secret "secretName" $.values.cloudConfigSecret }}
{{- end }}
{{- end }}
{{- end }}
{{- range .values.extraVolumes }}
{{- $name := .name }}
{{- range $pod.volumes }}
{{- if eq .name $name }}
{{- fail (printf "extraVolumes: %q is a volume of the chart; give yours another name" $name) }}
{{- end }}
{{- end }}
{{- $_ := set $pod "volumes" (append $pod.volumes .) }}
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
  "more" ($hooks | ternary $.values dict)
  "root" $.root
) }}
{{- end }}
{{- end }}

{{/*
Lays an image, resources, settings and more over a container, in place; takes these, and root. More
is extraEnv and extraVolumeMounts.
*/}}
{{- define "cloudstack-metacontroller.over-container" -}}
{{- $container := .container }}
{{- $_ := set $container "image" (include "cloudstack-metacontroller.image" .) }}
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
{{- range .more.extraEnv }}
{{- $name := .name }}
{{- range $env }}
{{- if eq .name $name }}
{{- fail (printf "extraEnv: %s is set already, by the chart or in settings" $name) }}
{{- end }}
{{- end }}
{{- $env = append $env . }}
{{- end }}
{{- with $env }}
{{- $_ := set $container "env" . }}
{{- end }}
{{- with .more.extraVolumeMounts }}
{{- $_ := set $container "volumeMounts" (concat $container.volumeMounts .) }}
{{- end }}
{{- end }}

{{/* The name of an image: its registry may be another one for all. Takes image and root. */}}
{{- define "cloudstack-metacontroller.image" -}}
{{- $repository := .image.repository }}
{{- with .root.Values.global.imageRegistry }}
{{- $parts := splitList "/" $repository }}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) }}
{{- $parts = rest $parts }}
{{- end }}
{{- $repository = printf "%s/%s" . (join "/" $parts) }}
{{- end }}
{{- printf "%s:%s" $repository (.image.tag | default .root.Chart.AppVersion) }}
{{- with .image.digest }}@{{ . }}{{ end }}
{{- end }}

{{/* Spreads pods over nodes, and over zones if possible. */}}
{{- define "cloudstack-metacontroller.spread" -}}
- topologyKey: kubernetes.io/hostname
  maxSkew: 1
  whenUnsatisfiable: DoNotSchedule
- topologyKey: topology.kubernetes.io/zone
  maxSkew: 1
  whenUnsatisfiable: ScheduleAnyway
{{- end }}
