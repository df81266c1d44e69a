{{/* The name of everything of a release: the release's, with the chart's behind it where that is not in it. */}}
{{- define "sockpool.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "sockpool.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "sockpool.labels" -}}
{{ include "sockpool.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{/* The names by which callers in the cluster call it, beside those of the config. */}}
{{- define "sockpool.hosts" -}}
{{- $name := include "sockpool.name" . -}}
{{- $full := printf "%s.%s" $name .Release.Namespace -}}
{{- $own := list $name $full (printf "%s.svc" $full) (printf "%s.svc.cluster.local" $full) -}}
{{- $http := default dict .Values.config.http -}}
{{- join "," (concat $own (default list $http.hosts)) -}}
{{- end -}}

{{/* Whether callers speak TLS. */}}
{{- define "sockpool.scheme" -}}
{{- $http := default dict .Values.config.http -}}
{{- if $http.tls -}}https{{- else -}}http{{- end -}}
{{- end -}}
