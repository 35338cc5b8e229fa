// SPDX-License-Identifier: GPL-3.0-or-later
package io.gnn4j.web;

import javax.ws.rs.GET;
import javax.ws.rs.Path;
import javax.ws.rs.PathParam;
import javax.ws.rs.core.Context;
import javax.ws.rs.core.MediaType;
import javax.ws.rs.core.Response;
import javax.ws.rs.core.UriInfo;

/**
 * Serves the guide, the style and the saved queries to Neo4j Browser, from the same origin as Browser itself.
 *
 * <p>Mounted by {@code server.unmanaged_extension_classes=io.gnn4j.web=/gnn}. Answers GET (and HEAD) only, changes
 * nothing, knows nothing of the database: it may be open to people who have not signed in.
 */
@Path("/")
public final class BrowserPages {
    @GET
    @Path("{name: .*}")
    public Response page(@PathParam("name") String name, @Context UriInfo address) {
        return StaticFiles.find(name, address.getBaseUri().toString())
            .map(page -> secured(Response.ok(page.content()).header("Content-Type", page.type())))
            .orElseGet(() -> secured(Response.status(Response.Status.NOT_FOUND)
                .type(MediaType.TEXT_PLAIN_TYPE.withCharset("utf-8"))
                .entity("There is no such page. The guide is guide.html, the style is style.grass.\n")));
    }

    /** No scripts, no sniffing, no stale copy after the plugin was replaced. */
    private static Response secured(Response.ResponseBuilder response) {
        return response
            .header("Cache-Control", "no-cache")
            .header("X-Content-Type-Options", "nosniff")
            .header("Content-Security-Policy", "default-src 'none'; img-src 'self' data:; style-src 'self'")
            .build();
    }
}
