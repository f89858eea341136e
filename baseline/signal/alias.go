package signal

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
)

// Names that moved; gone once everybody has followed.
type (
	Change         = change.Change
	ChangeKind     = change.Kind
	PodExplanation = identity.PodExplanation
)

const (
	ChangeRollout  = change.Rollout
	ChangeRolled   = change.Rolled
	ChangeStuck    = change.Stuck
	ChangeScale    = change.Scale
	ChangeHPA      = change.HPA
	ChangeLimits   = change.Limits
	ChangeCordon   = change.Cordon
	ChangeUncordon = change.Uncordon
	ChangeDrain    = change.Drain
	ChangeReboot   = change.Reboot
	ChangeNodeNew  = change.NodeNew
	ChangeNodeGone = change.NodeGone
	ChangeVersion  = change.Version
	ChangeConfig   = change.Config
	ChangeSecret   = change.Secret
	ChangeWebhook  = change.Webhook
	ChangeRBAC     = change.RBAC
	ChangeOOM      = change.OOM
	ChangeRestart  = change.Restart
	ChangeWorksMax = change.WorksMax
)

var ChangeKinds = change.Kinds
