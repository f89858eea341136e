// Pictures for those who have judged windows and no server.

package ui

import "github.com/wrackline/wrackline/baseline/model"

// Picture draws judged windows as an SVG that needs nothing else: value, band, alarms, score. Points are in order of time, each a window of stepMs;
// params give bounds and marks and may be nil.
func Picture(title, unit string, params *model.Params, points []Point, stepMs int64) []byte {
	if len(points) == 0 {
		return nil
	}
	points, stepMs = thin(points, stepMs, pictureCells)
	c := chart{Title: title, Unit: unit, From: points[0].T - stepMs, To: points[len(points)-1].T, Points: points, StepMs: stepMs, Height: 200, Params: params}
	return []byte(c.svg(true))
}

// pictureCells keeps a picture small; it is drawn some 800 pixels wide.
const pictureCells = 320
