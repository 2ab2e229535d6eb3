{{- define "@@name@@.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "@@name@@.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "@@name@@.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The name of a part: the whole name is cut, and never the suffix. Takes a list: the context and the suffix. */ -}}
{{- define "@@name@@.component" -}}
{{- $suffix := last . -}}
{{- $length := sub 62 (len $suffix) | int -}}
{{- printf "%s-%s" (include "@@name@@.fullname" (first .) | trunc $length | trimSuffix "-") $suffix -}}
{{- end }}

{{- define "@@name@@.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end }}

{{- define "@@name@@.selectorLabels" -}}
app.kubernetes.io/name: {{ include "@@name@@.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "@@name@@.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "@@name@@.selectorLabels" . }}
{{- with .Chart.AppVersion }}
app.kubernetes.io/version: {{ . | replace "+" "_" | trunc 63 | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "@@name@@.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "@@name@@.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.create is false: set serviceAccount.name to an account that exists (the namespace's default one is never used)" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "@@name@@.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%v" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}

{{- /* The namespaces to watch, joined by commas; empty for all. */ -}}
{{- define "@@name@@.watchNamespaces" -}}
{{- if .Values.watchNamespaces -}}
{{- join "," .Values.watchNamespaces -}}
{{- else if .Values.rbac.namespaced -}}
{{- include "@@name@@.namespace" . -}}
{{- end -}}
{{- end }}
