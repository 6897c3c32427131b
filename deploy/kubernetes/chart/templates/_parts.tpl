{{- define "tea.labels" -}}
app.kubernetes.io/name: tea-runner
app.kubernetes.io/part-of: tea-runner
{{- end }}

{{- define "tea.pod" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
# Nothing here asks Kubernetes for anything.
automountServiceAccountToken: false
securityContext: {fsGroup: 1000}
{{- end }}

{{- define "tea.safe" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tea.env" -}}
envFrom:
  - configMapRef: {name: tea-runner-settings}
{{- end }}

{{- define "tea.mounts" -}}
- {name: keys, mountPath: /etc/tea-runner/keys, readOnly: true}
- {name: storage, mountPath: /etc/tea-runner/storage, readOnly: true}
- {name: state, mountPath: /var/lib/tea-runner}
- {name: temporary, mountPath: /tmp}
{{- end }}

{{- define "tea.volumes" -}}
- name: keys
  secret: {secretName: {{ .Values.secrets.keys }}, defaultMode: 0440}
- name: storage
  secret: {secretName: {{ .Values.secrets.storage }}, defaultMode: 0440, optional: true}
- name: temporary
  emptyDir: {}
{{- end }}
