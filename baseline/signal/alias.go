package signal

import (
	"github.com/wrackline/wrackline/baseline/change"
	"github.com/wrackline/wrackline/baseline/identity"
	"github.com/wrackline/wrackline/baseline/pack"
)

// Names that moved; gone once everybody has followed.
type (
	Change         = change.Change
	ChangeKind     = change.Kind
	PodExplanation = identity.PodExplanation

	Rule          = pack.Rule
	Severity      = pack.Severity
	Pack          = pack.Pack
	TrackRule     = pack.TrackRule
	TestSeries    = pack.TestSeries
	Override      = pack.Override
	OverrideError = pack.OverrideError
	PackTest      = pack.Test
	TestExpect    = pack.TestExpect
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

var (
	ChangeKinds    = change.Kinds
	Embedded       = pack.Embedded
	LoadPack       = pack.Load
	TrackPack      = pack.Track
	DirectionOf    = pack.DirectionOf
	KeepList       = pack.KeepList
	ApplyOverrides = pack.ApplyOverrides
	PackTestStart  = pack.TestStart
)

const (
	Page         = pack.Page
	Warn         = pack.Warn
	Info         = pack.Info
	PackRulesMax = pack.RulesMax
	PackBytesMax = pack.BytesMax
)
