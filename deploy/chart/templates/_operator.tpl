{{/*
An operator: files of files/<name>, which are deploy/ as kustomize renders it, with the values laid
over its Deployment. Takes:
  name      the folder in files/
  mode      the file that fits the Metacontroller that is chosen
  added     the files of what was chosen besides
  values    the operator's values
  settings  the environment of its hooks, by variable
  replaced  what stands for what in all but the Deployment
  root      the chart
*/}}
{{- define "cloudstack-metacontroller.operator" -}}
{{- $added := .added }}
{{- if gt (int .values.replicas) 1 }}
{{- $added = append $added "two-replicas" }}
{{- end }}
{{- range concat (list "always" .mode) $added }}
{{- $path := printf "files/%s/%s.yaml" $.name . }}
{{- range $text := $.root.Files.Get $path | required $path | splitList "\n---\n" }}
{{- $object := fromYaml $text }}
---
{{ if eq $object.kind "Deployment" }}
{{- include "cloudstack-metacontroller.over-deployment" (dict
  "deployment" $object
  "values" $.values
  "settings" $.settings
  "root" $.root
) }}
{{- toYaml $object }}
{{- else }}
{{- range $old, $new := $.replaced }}
{{- $text = replace $old $new $text }}
{{- end }}
{{- trim $text }}
{{- end }}
{{ end }}
{{- end }}
{{- end }}
