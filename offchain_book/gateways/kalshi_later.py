"""The rest of Kalshi's API: routes of its specifications that this venue knows by name and does not serve yet.

A client that calls one learns what is missing (501) instead of believing that the path is wrong (404). A row leaves
this table when its handler arrives; a test keeps table and handlers disjoint, and together complete.
"""

from collections.abc import Iterator, Mapping

LATER: Mapping[str, str] = {
    "forecast history": """
        GET /series/{series_ticker}/events/{ticker}/forecast_percentile_history""",
    "tiers that are earned: the venue has one tier for everybody": """
        POST /account/api_usage_level/upgrade""",
    "block trades": """
        GET /communications/block-trade-proposals
        POST /communications/block-trade-proposals
        POST /communications/block-trade-proposals/{block_trade_proposal_id}/accept""",
    "requests for quotes": """
        GET /communications/id
        GET /communications/quotes
        POST /communications/quotes
        DELETE /communications/quotes/{quote_id}
        GET /communications/quotes/{quote_id}
        PUT /communications/quotes/{quote_id}/accept
        PUT /communications/quotes/{quote_id}/confirm
        GET /communications/rfqs
        POST /communications/rfqs
        DELETE /communications/rfqs/{rfq_id}
        GET /communications/rfqs/{rfq_id}
        DELETE /communications/rfqs/{rfq_id}/quotes/{quote_id}
        GET /communications/rfqs/{rfq_id}/quotes/{quote_id}
        PUT /communications/rfqs/{rfq_id}/quotes/{quote_id}/accept
        PUT /communications/rfqs/{rfq_id}/quotes/{quote_id}/confirm""",
    "batches of requests for quotes": """
        GET /communications/rfq_batches
        POST /communications/rfq_batches
        DELETE /communications/rfq_batches/{rfq_batch_id}
        GET /communications/rfq_batches/{rfq_batch_id}
        PUT /communications/rfq_batches/{rfq_batch_id}/accept
        GET /communications/rfq_batches/{rfq_batch_id}/best_quotes
        GET /communications/rfq_batches/{rfq_batch_id}/quotes
        POST /communications/rfq_batches/{rfq_batch_id}/quotes
        DELETE /communications/rfq_batches/{rfq_batch_id}/quotes/{batch_quote_id}
        PUT /communications/rfq_batches/{rfq_batch_id}/quotes/{batch_quote_id}/confirm""",
    "multivariate events": """
        GET /events/multivariate
        GET /multivariate_event_collections
        GET /multivariate_event_collections/{collection_ticker}
        POST /multivariate_event_collections/{collection_ticker}
        GET /multivariate_event_collections/{collection_ticker}/lookup
        PUT /multivariate_event_collections/{collection_ticker}/lookup
        POST /multivariate_event_collections/{collection_ticker}/lookup""",
    "announcements": """
        GET /exchange/announcements""",
    "clearing members": """
        GET /fcm/fills
        GET /fcm/orders
        GET /fcm/positions
        POST /fcm/positions/transfers
        GET /fcm/subtraders
        POST /fcm/subtraders
        GET /fcm/subtraders/blocked_categories
        PUT /fcm/subtraders/blocked_categories
        DELETE /fcm/subtraders/event_contract_daily_cap
        GET /fcm/subtraders/event_contract_daily_cap
        PUT /fcm/subtraders/event_contract_daily_cap""",
    "transfers between exchange indexes": """
        POST /portfolio/intra_exchange_instance_transfer
        GET /portfolio/intra_exchange_instance_transfers
        GET /portfolio/intra_exchange_instance_transfers/{transfer_id}
        GET /portfolio/target_balance_allocation
        POST /portfolio/target_balance_allocation""",
    "withdrawals in this dialect; see /venue": """
        GET /portfolio/withdrawals""",
}
"""What is missing -> the routes that would offer it."""


def later_routes() -> Iterator[tuple[str, str, str]]:
    """Yield (method, path, what is missing) of every route that is not served yet."""
    for missing, rows in LATER.items():
        for row in rows.split("\n"):
            if row.strip():
                method, path = row.split()
                yield method, path, missing
