// The status page: Wrackline about itself.

package ui

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

type statusBody struct {
	Status
	Packs []packUse
	Now   int64
}

func (s *server) status(c *gin.Context) {
	f, st := s.frame("Status", "status")
	f.Body, f.JSON = &statusBody{Status: st, Packs: packsOf(&st), Now: f.Now}, s.base+"/api/v1/status"
	s.page(c, http.StatusOK, "status", f)
}
