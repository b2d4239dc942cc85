{{/*
An operator: files of files/<name>, which kustomize renders from deploy/, with the values laid over
their objects. Takes:
  name      the folder in files/
  values    the operator's values
  settings  the environment of its hooks, by variable
  added     optional files that the other operator does not have
  leftOut   names of objects that are left out
  replaced  texts to replace in all objects: a list of pairs, old and new
  root      the chart
*/}}
{{- define "cloudstack-metacontroller.operator" -}}
{{- $mode := .values.metacontroller }}
{{- if ne .values.tls "none" }}
{{- $mode = printf "%s-%s-tls" .values.metacontroller .values.tls }}
{{- end }}
{{- $files := concat (list "always" $mode) .added }}
{{- if .values.networkPolicy }}
{{- $files = append $files "network-policy" }}
{{- end }}
{{- if .values.validation }}
{{- $files = append $files "validation" }}
{{- end }}
{{- if gt (int .values.replicas) 1 }}
{{- $files = append $files "two-replicas" }}
{{- end }}
{{- range $files }}
{{- include "cloudstack-metacontroller.objects" (merge (dict "file" (printf "%s/%s" $.name .)) $) }}
{{- end }}
{{- end }}

{{/* The objects of a file of files/; takes file, and what an operator takes. */}}
{{- define "cloudstack-metacontroller.objects" -}}
{{- $path := printf "files/%s.yaml" .file }}
{{- range $text := .root.Files.Get $path | required $path | splitList "\n---\n" }}
{{- range $.replaced }}
{{- $text = replace (first .) (last .) $text }}
{{- end }}
{{- $object := fromYaml $text }}
{{- if not (has $object.metadata.name $.leftOut) }}
{{- include "cloudstack-metacontroller.over-object" (dict
  "object" $object
  "values" $.values
  "settings" $.settings
  "root" $.root
) }}
---
{{ toYaml $object }}
{{ end }}
{{- end }}
{{- end }}
