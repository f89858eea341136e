package pack

// The YAML shapes of a pack file. Field names here are the contract with pack authors.
type (
	packFile struct {
		Pack     packHead      `yaml:"pack"`
		Groups   []packGroup   `yaml:"groups"`
		Measures []packMeasure `yaml:"measures"`
		Tests    []packTest    `yaml:"tests"`
	}
	packMeasure struct {
		Name  string `yaml:"name"`
		Expr  string `yaml:"expr"`
		Every string `yaml:"every"`
	}
	packHead struct {
		Name    string `yaml:"name"`
		Version int    `yaml:"version"`
		Title   string `yaml:"title"`
	}
	packGroup struct {
		Name   string     `yaml:"name"`
		Window string     `yaml:"window"`
		Rules  []packRule `yaml:"rules"`
	}
	packRule struct {
		Signal      string          `yaml:"signal"`
		Question    string          `yaml:"question"`
		Expr        any             `yaml:"expr"`
		Was         string          `yaml:"was"`
		Baseline    packBaseline    `yaml:"baseline"`
		For         string          `yaml:"for"`
		Labels      packLabels      `yaml:"labels"`
		Annotations packAnnotations `yaml:"annotations"`
		Evidence    []string        `yaml:"evidence"`
	}
	packBaseline struct {
		Mode      string     `yaml:"mode"`
		Bad       string     `yaml:"bad"`
		Bounds    []*float64 `yaml:"bounds"`
		Season    string     `yaml:"season"`
		Unit      string     `yaml:"unit"`
		MinEvents float64    `yaml:"min_events"`
		Effect    packEffect `yaml:"effect"`
		Ceiling   *float64   `yaml:"ceiling"`
		Renews    float64    `yaml:"renews"`
		Limit     *float64   `yaml:"limit"`
		Eta       string     `yaml:"eta"`
		Born      string     `yaml:"born"`
		Persist   int        `yaml:"persist"`
	}
	packEffect struct {
		Abs    float64  `yaml:"abs"`
		Rel    *float64 `yaml:"rel"`
		Events float64  `yaml:"events"`
	}
	packLabels struct {
		Severity string `yaml:"severity"`
		Digest   bool   `yaml:"digest"`
		Impact   bool   `yaml:"impact"`
		Settles  bool   `yaml:"settles"`
		Lesson   string `yaml:"lesson"`
	}
	packAnnotations struct {
		Summary string   `yaml:"summary"`
		Meaning string   `yaml:"meaning"`
		Causes  []string `yaml:"causes"`
		Next    []string `yaml:"next"`
	}
)
