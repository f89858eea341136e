package model

// Excuse: it moves to the good side. Where only one direction is bad, whatever lies on the other side of what was expected is no news: no test of
// that side speaks. A ceiling, an event and a drift heed the direction themselves.

// badSides says which sides are bad.
func (p *Params) badSides() [2]bool { return [2]bool{p.Bad != Down, p.Bad != Up} }
