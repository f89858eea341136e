{{- define "wrackline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "wrackline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains (include "wrackline.name" .) .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wrackline.name" .) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wrackline.selector" -}}
app.kubernetes.io/name: {{ include "wrackline.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wrackline.labels" -}}
{{ include "wrackline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Nine tenths of the limit, so that the collector works before the kernel kills. Empty where the limit is in other units. */ -}}
{{- define "wrackline.gomemlimit" -}}
{{- $m := dig "limits" "memory" "" .Values.resources | toString -}}
{{- if hasSuffix "Gi" $m -}}
{{- printf "%dMiB" (trimSuffix "Gi" $m | float64 | mulf 921.6 | int) -}}
{{- else if hasSuffix "Mi" $m -}}
{{- printf "%dMiB" (trimSuffix "Mi" $m | float64 | mulf 0.9 | int) -}}
{{- end -}}
{{- end -}}
